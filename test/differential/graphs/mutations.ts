import type { Graph, GraphObject } from './framework/graph.ts';

// Mutations of two subgraphs. The result of each shows which mutations ran before it.

const accounts: readonly GraphObject[] = ['a1', 'a2'].map((id) => ({ __typename: 'Account', id }));

interface Journal {
  readonly entries: string[];
}

function write(state: Journal, entry: string): GraphObject {
  state.entries.push(entry);
  return { label: `entry ${state.entries.join(', ')}`, number: state.entries.length };
}

export const mutations: Graph = {
  name: 'mutations',
  subgraphs: [
    {
      name: 'orders',
      sdl: `
        type Query { account(id: ID!): Account }
        type Mutation {
          order(account: ID!, lines: [Line!], first: Int): Receipt!
          cancel(account: ID!): Receipt
        }
        input Line { sku: String! count: Int = 1 }
        type Receipt { number: Int! text: String account: Account }
        type Account @key(fields: "id") { id: ID! orders: Int }
      `,
    },
    {
      name: 'payments',
      sdl: `
        type Mutation { pay(account: ID!, amount: Float = 1.5): Payment refund(account: ID!): Account }
        type Payment { number: Int! text: String! account: Account! }
        type Account @key(fields: "id") { id: ID! balance: Float owner: String! }
      `,
    },
    {
      name: 'people',
      sdl: `
        type Query { accounts: [Account!]! }
        type Account @key(fields: "id") { id: ID! orders: Int @external name: String title: String @requires(fields: "orders") }
      `,
    },
  ],
  entities: { Account: accounts },
  createState: (): Journal => ({ entries: [] }),
  resolvers: {
    'Query.account': (_, { id }) => accounts.find((account) => account.id === id),
    'Query.accounts': () => accounts,
    'Mutation.order': (_, { account, lines }, { state }) => ({
      ...write(state, `order ${account} ${JSON.stringify(lines ?? null)}`),
      account: accounts.find(({ id }) => id === account),
    }),
    'Mutation.cancel': (_, { account }, { state }) => {
      const receipt = write(state, `cancel ${account}`);
      return account === 'a2' ? null : { ...receipt, account: accounts[0] };
    },
    'Mutation.pay': (_, { account, amount }, { state }) => ({
      ...write(state, `pay ${account} ${amount}`),
      account: accounts.find(({ id }) => id === account) ?? accounts[0],
    }),
    'Mutation.refund': (_, { account }, { state }) => {
      write(state, `refund ${account}`);
      return accounts.find(({ id }) => id === account);
    },
  },
  argumentValues: { account: ['a1', 'a2', 'none'], 'Query.account(id': ['a1', 'none'] },
};
