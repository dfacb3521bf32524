import { GraphQLError } from 'graphql';
import type { AccountRecord } from '../shared/records.ts';
import { DateTime, JSONValue } from '../shared/scalars.ts';
import type { ResolverMap, SubgraphContext } from '../shared/subgraphDefinition.ts';
import type { AccountsStore } from './data.ts';

type Context = SubgraphContext<AccountsStore>;

interface ProfileInput {
  readonly displayName?: string | null;
  readonly country?: AccountRecord['country'] | null;
  readonly preferences?: Record<string, unknown> | null;
}

export const resolvers: ResolverMap<AccountsStore> = {
  DateTime,
  JSON: JSONValue,
  Query: {
    me: (_root, _args, { store, viewerId }) => (viewerId === null ? null : store.findById(viewerId)),
    account: (_root, { id }: { id: string }, { store }) => store.findById(id),
    accountByUsername: (_root, { username }: { username: string }, { store }) =>
      store.findByUsername(username),
    accounts: (_root, { first, role }: { first: number; role?: string | null }, { store }) =>
      store.accounts.filter((account) => role == null || account.role === role).slice(0, Math.max(0, first)),
  },
  Mutation: {
    updateProfile(_root, { input }: { input: ProfileInput }, { store, viewerId }) {
      const account = viewerId === null ? null : store.findById(viewerId);
      if (account === null) return null;
      account.displayName = input.displayName ?? account.displayName;
      account.country = input.country ?? account.country;
      account.preferences = input.preferences ?? account.preferences;
      return account;
    },
  },
  Account: {
    __resolveReference: (reference: { id?: string; username?: string }, context: Context) =>
      reference.id === undefined
        ? context.store.findByUsername(reference.username ?? '')
        : context.store.findById(reference.id),
    email: (account: AccountRecord, _args, { viewerId }) => (account.id === viewerId ? account.email : null),
    loyalty({ id, loyaltyPoints }: AccountRecord) {
      if (id.endsWith('7')) {
        throw new GraphQLError('The loyalty ledger cannot be reached for this account', {
          extensions: { code: 'LOYALTY_UNAVAILABLE' },
        });
      }
      return {
        points: loyaltyPoints,
        tier: loyaltyPoints > 3000 ? 'GOLD' : loyaltyPoints > 1000 ? 'SILVER' : 'BRONZE',
      };
    },
  },
};
