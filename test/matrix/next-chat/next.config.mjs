const cacheComponents = process.env.CACHE_COMPONENTS === 'true'

export default { cacheComponents, ...(cacheComponents && { partialPrefetching: true }) }
