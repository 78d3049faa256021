import { Weavy } from 'uikit-web-31'
import { expose } from './expose.js'

expose(Weavy)
