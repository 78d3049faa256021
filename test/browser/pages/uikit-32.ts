import { Weavy } from '@weavy/uikit-web'
import { expose } from './expose.js'

expose(Weavy)
