// Four real services on ports of their own: CouchDB's API (PouchDB), a GraphQL server, Kinesis (kinesalite), SQS (fauxqs).
const express = require("express");
const PouchDB = require("pouchdb-node").plugin(require("pouchdb-adapter-memory")).defaults({ adapter: "memory" });
const { buildSchema } = require("graphql");
const { createHandler } = require("graphql-http/lib/use/express");
const kinesalite = require("kinesalite");

const couch = express();
couch.use("/", require("express-pouchdb")(PouchDB, { mode: "minimumForPouchDB", inMemoryConfig: true, logPath: "/dev/null" }));

const prices = new Map();
const root = {
  setPrice({ sku, price }) {
    if (price <= 0) throw new Error(`no price for ${sku}`);
    prices.set(sku, price);
    return sku;
  },
  prices: () => [...prices.keys()],
};
const schema = buildSchema("type Query { prices: [String!]! } type Mutation { setPrice(sku: String!, price: Float!): String }");
const graph = express();
graph.use("/graphql", createHandler({ schema, rootValue: root }));

const ports = {};
const opened = (name, server) => new Promise((done) => server.listen(0, "127.0.0.1", () => { ports[name] = server.address().port; done(); }));
const http = require("http");
Promise.all([
  opened("couch", http.createServer(couch)),
  opened("graph", http.createServer(graph)),
  opened("kinesis", kinesalite({ createStreamMs: 0 })),
  import("fauxqs").then(async ({ buildApp }) => {
    const sqs = buildApp({ logger: false });
    await sqs.listen({ port: 0, host: "127.0.0.1" });
    ports.sqs = sqs.server.address().port;
  }),
]).then(() => console.log(JSON.stringify(ports)));
