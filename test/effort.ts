import fc from 'fast-check'

/** Other worlds than those of every run: `SEED=7 npm run test:unit`. */
fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.SEED ?? 16) })

/** More or fewer of them than in every run: `EFFORT=10 npm run test:unit`. */
export const runs = (usual: number): { numRuns: number } => ({
  numRuns: Math.ceil(usual * Number(process.env.EFFORT ?? 1)),
})
