import { Weavy } from 'uikit-web-31'
import { boundaryScenarios } from './boundaries.js'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '31.2.0')
boundaryScenarios(Weavy as unknown as WeavyConstructor, '31.2.0')
