import { broker } from '../../broker'

export const GET = broker.fetch
