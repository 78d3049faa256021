import { Weavy } from 'uikit-web-27'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '27.1.1')
