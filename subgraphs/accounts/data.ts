import { generateAccounts } from '../shared/generate.ts';
import type { AccountRecord } from '../shared/records.ts';

export interface AccountsStore {
  readonly accounts: AccountRecord[];
  findById(id: string): AccountRecord | null;
  findByUsername(username: string): AccountRecord | null;
}

export function createStore(): AccountsStore {
  const { accounts } = generateAccounts();
  const byId = new Map(accounts.map((account) => [account.id, account]));
  const byUsername = new Map(accounts.map((account) => [account.username, account]));
  return {
    accounts,
    findById: (id) => byId.get(id) ?? null,
    findByUsername: (username) => byUsername.get(username) ?? null,
  };
}
