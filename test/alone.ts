/** Tests that change their process: Zone.js, a React that is not there, what `hono` puts in the place of `Response`. */
export const ALONE = ['test/{zone,without-react}.test.ts', 'test/broker/mounts.test.ts']
