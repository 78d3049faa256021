import { Weavy } from '@weavy/uikit-web'
import { boundaryScenarios } from './boundaries.js'
import { coreScenarios, type WeavyConstructor } from './scenarios.js'

coreScenarios(Weavy as unknown as WeavyConstructor, '32.2.0')
boundaryScenarios(Weavy as unknown as WeavyConstructor, '32.2.0')
