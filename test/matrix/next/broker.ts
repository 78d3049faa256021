export { broker } from './app/broker'
