// Runs on whatever Node the shell has, so that an old one is told what to do instead of a syntax error.
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  console.error(
    `Livedraw needs Node 24 or newer and found ${process.versions.node}. ` +
      'On Linux x64 "npm ci" brings one of its own: use "npm start" or "npm test", not "node" itself. ' +
      'On other systems install Node 24.',
  )
  process.exit(2)
}
