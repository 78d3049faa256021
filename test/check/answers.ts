import type { Answer, AskBroker, Question } from '../../src/check/ask-broker.js'

/** An answer with a token, unless told otherwise. */
export const answer = (given: Partial<Answer> = {}): Answer => ({
  asked: 'GET /api/token',
  ms: 1,
  status: 200,
  came: '200 application/json',
  headers: new Headers(),
  redirects: [],
  isHtml: false,
  token: 'wyu_a',
  ...given,
})

/** A broker that answers as it is told, the last answer again and again, and keeps what it was asked. */
export const answers = (...list: Partial<Answer>[]) => {
  const questions: Question[] = []
  const ask: AskBroker = async (question = {}) => {
    questions.push(question)
    return answer(list[questions.length - 1] ?? list.at(-1))
  }
  return { ask, questions }
}
