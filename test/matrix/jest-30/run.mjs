// Jest 30.
import { checkJest } from '../jest.mjs'

checkJest()
