import { Weavy } from '@weavy/uikit-web'
import { boundaryScenarios, versionlessScenarios } from './boundaries.js'
import type { WeavyConstructor } from './scenarios.js'

boundaryScenarios(Weavy as unknown as WeavyConstructor, '32.2.0')
versionlessScenarios(Weavy as unknown as WeavyConstructor)
