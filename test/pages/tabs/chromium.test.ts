import { tabScenarios } from './scenarios.js'

tabScenarios('chromium')
