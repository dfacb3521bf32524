/** A gateway with the options of its first argument, as JSON. Reports its URL to its parent, and its memory on
 *  request. */
import { createGateway } from '../../gateway/gateway.ts';
import { serveCpuProfiles } from './cpuProfiles.ts';
import { reportMemory } from './memoryReports.ts';

reportMemory();
serveCpuProfiles();
const gateway = await createGateway(JSON.parse(process.argv[2] ?? ''));
const { url } = await gateway.start();
process.send?.({ url });
