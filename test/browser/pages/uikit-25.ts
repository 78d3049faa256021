import { Weavy } from 'uikit-web-25'
import { expose } from './expose.js'

expose(Weavy)
