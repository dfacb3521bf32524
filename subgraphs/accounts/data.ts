import { readGenerated } from '../shared/readGenerated.ts';
import type { AccountRecord, AccountsFile } from '../shared/records.ts';

export interface AccountsStore {
  readonly accounts: AccountRecord[];
  findById(id: string): AccountRecord | null;
  findByUsername(username: string): AccountRecord | null;
}

export function createStore(): AccountsStore {
  const { accounts } = readGenerated<AccountsFile>('accounts');
  const byId = new Map(accounts.map((account) => [account.id, account]));
  const byUsername = new Map(accounts.map((account) => [account.username, account]));
  return {
    accounts,
    findById: (id) => byId.get(id) ?? null,
    findByUsername: (username) => byUsername.get(username) ?? null,
  };
}
