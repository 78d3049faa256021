import { tabScenarios } from './scenarios.js'

tabScenarios('webkit')
