import { Weavy } from 'uikit-web-25'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '25.0.0')
