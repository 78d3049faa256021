import { Weavy } from '@weavy/uikit-web'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '32.2.0')
