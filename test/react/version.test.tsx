import { render, screen } from '@testing-library/react'
import { version } from 'react'
import { version as domVersion } from 'react-dom'
import { expect, test } from 'vitest'

test('these tests run on the React that their project names', () => {
  render(<p>rendered</p>)
  expect(screen.getByText('rendered')).toBeDefined()
  const expected = expect.stringMatching(process.env.REACT_VERSION ?? /^19\./)
  expect([version, domVersion]).toEqual([expected, expected])
})
