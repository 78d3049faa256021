import { Weavy } from 'uikit-web-27'
import { boundaryScenarios } from './boundaries.js'
import type { WeavyConstructor } from './scenarios.js'

boundaryScenarios(Weavy as unknown as WeavyConstructor, '27.1.1')
