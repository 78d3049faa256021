import { tabScenarios } from './scenarios.js'

tabScenarios('firefox')
