# Two stages: the first builds the web pages with the development packages, the second carries what runs.
# The image has no PostgreSQL inside (the embedded one is an optional package of 60 MB), so it needs DATABASE_URL.
FROM node:24-slim AS pages
WORKDIR /app
# The install is a layer of its own: it changes with the lock file only. Its scripts would build pages that are not
# copied yet, and no package that pages need has one. Optional packages stay: Vite's compiler is one of them.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build

FROM node:24-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=2567 \
    DATA_DIR=/data
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY scripts/ scripts/
COPY migrations/ migrations/
COPY src/ src/
COPY rooms/ rooms/
# The page of error codes is made from docs/errors.md.
COPY docs/ docs/
COPY --from=pages /app/dist-client/ dist-client/
# Nothing of the program is writable for the user that runs it.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 2567
# Ready, and not only alive: it turns unhealthy while draining, which is what a proxy needs to know.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||2567)+'/readyz',{signal:AbortSignal.timeout(2500)}).then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# Not through npm: a signal must reach the server itself. Run with an init (compose: `init: true`).
CMD ["node", "src/main.ts"]
