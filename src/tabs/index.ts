export { type AcrossTabsOptions, acrossTabs } from './across-tabs.js'
