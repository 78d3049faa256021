// webpack with its defaults, and Module Federation.
import webpack from 'webpack'
import { checkBundler } from '../webpack-like.mjs'

await checkBundler(webpack, webpack.container.ModuleFederationPlugin)
