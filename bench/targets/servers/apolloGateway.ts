/** `@apollo/gateway` behind Apollo Server's standalone server, both with their defaults. Environment: PORT;
 *  SUPERGRAPH, the path of the SDL. */
import { readFileSync } from 'node:fs';
import { ApolloGateway } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';

const gateway = new ApolloGateway({ supergraphSdl: readFileSync(String(process.env.SUPERGRAPH), 'utf8') });
await startStandaloneServer(new ApolloServer({ gateway }), {
  listen: { host: '127.0.0.1', port: Number(process.env.PORT) },
});
