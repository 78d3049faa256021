import { broker } from '../../app/broker'

export default broker.fetch
