/** `@apollo/gateway` behind Apollo Server's standalone server, both with their defaults. Environment: PORT;
 *  SUPERGRAPH, the path of the SDL; FORWARD=1 sends the client's `authorization` to the subgraphs. */
import { readFileSync } from 'node:fs';
import { ApolloGateway, type GatewayConfig, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';

interface Context {
  readonly authorization?: string | undefined;
}

const forwarding: Pick<GatewayConfig, 'buildService'> = {
  buildService: ({ url }) =>
    new RemoteGraphQLDataSource<Context>({
      ...(url === undefined ? {} : { url }),
      willSendRequest({ request, context }) {
        if (context.authorization !== undefined) {
          request.http?.headers.set('authorization', context.authorization);
        }
      },
    }),
};
const gateway = new ApolloGateway({
  supergraphSdl: readFileSync(String(process.env.SUPERGRAPH), 'utf8'),
  ...(process.env.FORWARD === '1' ? forwarding : {}),
});
await startStandaloneServer(new ApolloServer<Context>({ gateway }), {
  listen: { host: '127.0.0.1', port: Number(process.env.PORT) },
  context: async ({ req }) => ({ authorization: req.headers.authorization }),
});
