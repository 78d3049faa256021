// Jest 29, whose jsdom has an AbortSignal without throwIfAborted.
import { checkJest } from '../jest.mjs'

checkJest()
