import { Weavy } from 'uikit-web-31'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '31.2.0')
