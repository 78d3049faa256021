import { Weavy } from 'uikit-web-31'
import { boundaryScenarios } from './boundaries.js'
import type { WeavyConstructor } from './scenarios.js'

boundaryScenarios(Weavy as unknown as WeavyConstructor, '31.2.0')
