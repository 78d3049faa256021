import { Weavy } from 'uikit-web-27'
import { boundaryScenarios } from './boundaries.js'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '27.1.1')
boundaryScenarios(Weavy as unknown as WeavyConstructor, '27.1.1')
