/** Sends an operation's faults to the subgraphs. See `Faults.parse`. */
export const faultsHeader = 'x-faults';

/** Names the operation of a request, for fields that share a state. */
export const trialHeader = 'x-trial';
