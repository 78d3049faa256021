// Rspack with its defaults, and Module Federation.
import { container, rspack } from '@rspack/core'
import { checkBundler } from '../webpack-like.mjs'

await checkBundler(rspack, container.ModuleFederationPluginV1)
