/** Preloaded by the other programs, so that they get the memory settings that Tributary sets while it runs. */
import { shareSmallBlocks } from '../gateway/cli/bufferPool.ts';
import { adaptYoungCollections } from '../gateway/cli/youngCollections.ts';
import { growYoungGenerationAtOnce } from '../gateway/cli/youngGeneration.ts';

shareSmallBlocks();
growYoungGenerationAtOnce();
adaptYoungCollections();
