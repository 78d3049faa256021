import { Weavy } from 'uikit-web-25'
import { boundaryScenarios } from './boundaries.js'
import type { WeavyConstructor } from './scenarios.js'

boundaryScenarios(Weavy as unknown as WeavyConstructor, '25.0.0')
