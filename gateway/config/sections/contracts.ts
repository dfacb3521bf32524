import { z } from 'zod';
import { choice, duration, flag, integer, nonBlankText, size } from '../scalars.ts';
import { headerName } from './headerName.ts';

const directory = () => nonBlankText('a directory');

export const contractsSection = z
  .strictObject({
    guard: choice(['off', 'warn', 'enforce'])
      .describe(
        'Check a new supergraph against the contracts before it is used: not at all, with what breaks in the log, or so that one that breaks something is not used.',
      )
      .prefault('warn'),
    directory: directory()
      .describe(
        'Where the contracts are; see [contracts.md](contracts.md). A relative path starts at the working directory. Without `schemas` in it there is nothing to guard.',
      )
      .prefault('contracts'),
    driftInterval: duration()
      .describe(
        'Time between two looks at whether subgraphs serve what they have agreed to. `0`: none. There are none either with `guard: off`.',
      )
      .prefault('60s'),
    lookTimeout: duration()
      .describe(
        'Longest that a new supergraph waits for its subgraphs to say what they serve. Those that have not said it by then do not count. `0`: they are not asked, and the supergraph is judged by itself.',
      )
      .prefault('3s'),
    record: z
      .strictObject({
        enabled: flag()
          .describe('Write the operations that clients send to files, without their values.')
          .prefault(false),
        directory: directory()
          .describe(
            'Where they are written, in a directory for each client. Not in the contracts: somebody decides on what is taken over.',
          )
          .prefault('recorded-operations'),
        maxOperations: integer({ min: 1 })
          .describe('Most files, of all clients together. What comes after them is not recorded.')
          .prefault(1_000),
        maxClients: integer({ min: 1 })
          .describe('Most clients. Their names are what they say, so anybody can make up new ones.')
          .prefault(50),
        maxSize: size().describe('Most bytes of all files together.').prefault('16MB'),
        clientNameHeaders: z
          .array(headerName)
          .describe("Headers with a client's name; the first one that is there counts.")
          .prefault(['apollographql-client-name', 'graphql-client-name']),
        clientVersionHeaders: z
          .array(headerName)
          .describe("The same for the client's version.")
          .prefault(['apollographql-client-version', 'graphql-client-version']),
      })
      .prefault({}),
  })
  .describe('What teams have agreed on, kept while the gateway runs.');
