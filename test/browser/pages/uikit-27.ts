import { Weavy } from 'uikit-web-27'
import { expose } from './expose.js'

expose(Weavy)
