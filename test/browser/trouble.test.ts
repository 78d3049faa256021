import { Weavy } from '@weavy/uikit-web'
import { hardScenarios, type WeavyConstructor } from './scenarios.js'

hardScenarios(Weavy as unknown as WeavyConstructor)
