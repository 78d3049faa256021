import { Weavy } from '@weavy/uikit-web'
import { coreScenarios, hardScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '32.2.0')
hardScenarios(Weavy as unknown as WeavyConstructor)
