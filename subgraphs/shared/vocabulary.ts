/** The words of the demo shop's data. Brands and usernames are invented. */

const departments = ['KITCHEN', 'OUTDOOR', 'HOME', 'OFFICE'] as const;
export type Department = (typeof departments)[number];

export const countries = ['DE', 'FR', 'GB', 'NL', 'PL', 'SE', 'US'] as const;
export type Country = (typeof countries)[number];

export interface CategoryWords {
  readonly department: Department;
  readonly slug: string;
  readonly name: string;
  readonly description: string;
  /** Each noun is combined with each variant. */
  readonly nouns: readonly string[];
  readonly variants: readonly string[];
  readonly materials: readonly string[];
  readonly features: readonly string[];
  readonly care: readonly string[];
  readonly tags: readonly string[];
  /** What a reviewer did with the product: "used it for …". */
  readonly uses: readonly string[];
  /** Lowest and highest price in whole euros. */
  readonly price: readonly [number, number];
  /** In grams. */
  readonly weight: readonly [number, number];
  /** In centimetres, for each of the three sides. */
  readonly side: readonly [number, number];
}

export const categories: readonly CategoryWords[] = [
  {
    department: 'KITCHEN',
    slug: 'cookware',
    name: 'Cookware',
    description: 'Pots and pans that outlive the stove they stand on.',
    nouns: [
      'Cast-Iron Skillet',
      'Carbon-Steel Wok',
      'Enamelled Dutch Oven',
      'Saucepan with Lid',
      'Sauté Pan',
      'Stockpot',
      'Griddle Pan',
      'Roasting Tin',
      'Milk Pan',
      'Steamer Set',
    ],
    variants: ['24 cm', '28 cm'],
    materials: ['cast iron', 'carbon steel', 'three-layer stainless steel', 'enamelled steel'],
    features: [
      'The heavy base spreads heat evenly, on induction as well as on gas.',
      'The handle stays cool on the hob and may go into the oven.',
      'A pouring rim on both sides keeps the cooker clean.',
    ],
    care: ['Wash by hand and dry at once.', 'Dishwasher safe, though it looks better washed by hand.'],
    tags: ['induction', 'oven-safe', 'gift'],
    uses: ['Sunday roasts', 'pancakes for five', 'a weekly stew', 'stir-fries'],
    price: [19, 189],
    weight: [600, 5200],
    side: [10, 48],
  },
  {
    department: 'KITCHEN',
    slug: 'knives',
    name: 'Knives & Boards',
    description: 'Sharp edges and the boards that spare them.',
    nouns: [
      "Chef's Knife",
      'Bread Knife',
      'Paring Knife',
      'Santoku',
      'Carving Knife',
      'Cleaver',
      'Honing Rod',
      'Chopping Board',
      'Knife Block',
      'Kitchen Shears',
    ],
    variants: ['Classic', 'Walnut'],
    materials: ['high-carbon steel', 'forged stainless steel', 'end-grain walnut', 'beech'],
    features: [
      'Balanced at the bolster, so it rests in the hand instead of pulling away.',
      'Ground thin behind the edge; tomatoes notice it too late.',
      'Rubber feet hold it where you put it.',
    ],
    care: ['Never into the dishwasher.', 'Oil the wood twice a year.'],
    tags: ['handmade', 'gift', 'refillable'],
    uses: ['onions by the kilo', 'carving at family dinners', 'bread with a hard crust'],
    price: [12, 149],
    weight: [90, 2600],
    side: [2, 40],
  },
  {
    department: 'KITCHEN',
    slug: 'coffee-tea',
    name: 'Coffee & Tea',
    description: 'Everything between the bean or the leaf and the first sip.',
    nouns: [
      'Pour-Over Dripper',
      'French Press',
      'Gooseneck Kettle',
      'Hand Grinder',
      'Moka Pot',
      'Teapot with Strainer',
      'Milk Frother',
      'Espresso Cups',
      'Cold-Brew Carafe',
      'Coffee Scale',
    ],
    variants: ['for Two', 'for Six'],
    materials: ['borosilicate glass', 'stoneware', 'brushed steel', 'cast aluminium'],
    features: [
      'The scale inside is readable through steam.',
      'Pours without dripping, even when nearly empty.',
      'Comes apart without tools for cleaning.',
    ],
    care: ['Descale monthly where water is hard.', 'Dishwasher safe.'],
    tags: ['gift', 'plastic-free', 'travel'],
    uses: ['two cups each morning', 'the office kitchen', 'camping breakfasts'],
    price: [9, 119],
    weight: [150, 1900],
    side: [8, 32],
  },
  {
    department: 'OUTDOOR',
    slug: 'tents',
    name: 'Tents & Shelters',
    description: 'A dry night, wherever the path ends.',
    nouns: [
      'Dome Tent',
      'Tunnel Tent',
      'Bivouac Shelter',
      'Tarp',
      'Beach Shelter',
      'Family Tent',
      'Trekking Tent',
      'Groundsheet',
      'Hammock Canopy',
      'Screen House',
    ],
    variants: ['2P', '4P'],
    materials: ['ripstop nylon', 'recycled polyester', 'silicone-coated nylon', 'polycotton'],
    features: [
      'One person pitches it in five minutes, also in wind.',
      'Two vestibules leave room for boots and a stove.',
      'Taped seams and a 3,000 mm water column.',
    ],
    care: ['Dry it fully before packing.', 'Keep away from sparks; the fabric melts.'],
    tags: ['waterproof', 'recycled', 'ultralight'],
    uses: ['a week of rain in the hills', 'festival weekends', 'bike tours'],
    price: [39, 649],
    weight: [480, 8900],
    side: [12, 70],
  },
  {
    department: 'OUTDOOR',
    slug: 'backpacks',
    name: 'Backpacks',
    description: 'Loads that sit on the hips and not on the mood.',
    nouns: [
      'Day Pack',
      'Trekking Pack',
      'Roll-Top Pack',
      'Commuter Backpack',
      'Trail Vest',
      'Duffel Pack',
      'Climbing Pack',
      'Kids Pack',
      'Hydration Pack',
      'Camera Pack',
    ],
    variants: ['18 L', '34 L'],
    materials: ['recycled nylon', 'waxed canvas', 'laminated polyester'],
    features: [
      'The back panel keeps a finger of air between you and the load.',
      'Hip belt and chest strap come off for the city.',
      'The rain cover lives in its own pocket.',
    ],
    care: ['Sponge clean only.', 'Close the buckles before washing.'],
    tags: ['recycled', 'waterproof', 'commuter'],
    uses: ['the daily train ride', 'hut-to-hut tours', 'school'],
    price: [29, 219],
    weight: [280, 2100],
    side: [18, 68],
  },
  {
    department: 'OUTDOOR',
    slug: 'lanterns',
    name: 'Lights & Lanterns',
    description: 'Light for camps, cellars and power cuts.',
    nouns: [
      'Camp Lantern',
      'Head Torch',
      'Storm Lantern',
      'String Lights',
      'Pocket Torch',
      'Solar Lamp',
      'Bike Light Set',
      'Candle Lantern',
      'Work Light',
      'Tent Pendant',
    ],
    variants: ['Mini', 'Max'],
    materials: ['anodised aluminium', 'recycled plastic', 'galvanised steel'],
    features: [
      'Warm white that lets the eyes rest; red for the night.',
      'Charges over USB-C and feeds your phone in turn.',
      'Falls from two metres without complaint.',
    ],
    care: ['Store half charged.', 'Rinse after use at the sea.'],
    tags: ['rechargeable', 'waterproof', 'gift'],
    uses: ['reading in the tent', 'night runs', 'the shed'],
    price: [8, 99],
    weight: [45, 1200],
    side: [4, 30],
  },
  {
    department: 'HOME',
    slug: 'bedding',
    name: 'Bedding',
    description: 'For the third of life spent lying down.',
    nouns: [
      'Linen Duvet Cover',
      'Percale Sheet Set',
      'Down Duvet',
      'Wool Blanket',
      'Buckwheat Pillow',
      'Mattress Topper',
      'Quilt',
      'Pillowcase Pair',
      'Weighted Blanket',
      'Throw',
    ],
    variants: ['Single', 'Double'],
    materials: ['washed linen', 'organic cotton', 'new wool', 'responsibly sourced down'],
    features: [
      'Softer with every wash.',
      'Buttons of shell, and one to spare.',
      'Woven densely enough to keep feathers where they belong.',
    ],
    care: ['Machine wash at 40 °C.', 'Air in the shade; sun bleaches it.'],
    tags: ['organic', 'gift', 'vegan'],
    uses: ['hot summer nights', 'the guest room', 'naps on the sofa'],
    price: [24, 329],
    weight: [350, 6800],
    side: [15, 60],
  },
  {
    department: 'HOME',
    slug: 'lamps',
    name: 'Lamps',
    description: 'Light that makes a room out of four walls.',
    nouns: [
      'Reading Lamp',
      'Floor Lamp',
      'Pendant Lamp',
      'Clamp Lamp',
      'Bedside Lamp',
      'Wall Sconce',
      'Paper Lantern',
      'Arc Lamp',
      'Table Lamp',
      'Night Light',
    ],
    variants: ['Brass', 'Black'],
    materials: ['spun brass', 'powder-coated steel', 'mouth-blown glass', 'rice paper'],
    features: [
      'Dims to a glow without a hum.',
      'The joint holds every angle and needs no tool.',
      'A textile cable of two metres reaches the far socket.',
    ],
    care: ['Dust with a dry cloth.', 'Let it cool before you change the bulb.'],
    tags: ['dimmable', 'gift', 'handmade'],
    uses: ['reading in bed', 'the dark end of the corridor', 'the dining table'],
    price: [18, 279],
    weight: [300, 7400],
    side: [12, 160],
  },
  {
    department: 'HOME',
    slug: 'storage',
    name: 'Storage',
    description: 'A place for each thing, and the thing in its place.',
    nouns: [
      'Seagrass Basket',
      'Stacking Crate',
      'Wall Shelf',
      'Shoe Rack',
      'Laundry Hamper',
      'Spice Rack',
      'Storage Bench',
      'Drawer Organiser',
      'Coat Stand',
      'Glass Jars',
    ],
    variants: ['Small', 'Large'],
    materials: ['seagrass', 'solid oak', 'powder-coated wire', 'bamboo'],
    features: [
      'Stacks safely, and folds flat when it is not needed.',
      'Everything for the wall is in the box.',
      'Felt underneath spares the floor.',
    ],
    care: ['Wipe with a damp cloth.', 'Keep dry.'],
    tags: ['plastic-free', 'flat-pack', 'handmade'],
    uses: ['the hallway that nobody could walk through', 'toys', 'the pantry'],
    price: [9, 239],
    weight: [250, 18500],
    side: [14, 120],
  },
  {
    department: 'OFFICE',
    slug: 'notebooks',
    name: 'Notebooks & Paper',
    description: 'Paper that ink likes.',
    nouns: [
      'Dotted Notebook',
      'Ruled Notebook',
      'Sketchbook',
      'Weekly Planner',
      'Pocket Notes',
      'Ring Binder',
      'Index Cards',
      'Letter Set',
      'Desk Pad',
      'Project Journal',
    ],
    variants: ['A5', 'A4'],
    materials: ['100 g recycled paper', 'linen-bound board', 'stone paper'],
    features: [
      'Lies flat from the first page to the last.',
      'No bleeding, even under a broad nib.',
      'Numbered pages and an index at the front.',
    ],
    care: ['Keep dry.', 'Full volumes like a dark shelf.'],
    tags: ['recycled', 'vegan', 'refillable'],
    uses: ['meeting notes', 'a garden diary', 'sketching on trains'],
    price: [4, 39],
    weight: [60, 900],
    side: [1, 32],
  },
  {
    department: 'OFFICE',
    slug: 'chairs',
    name: 'Chairs & Stools',
    description: 'Seats that still agree with you at five in the afternoon.',
    nouns: [
      'Task Chair',
      'Saddle Stool',
      'Visitor Chair',
      'Kneeling Chair',
      'Drafting Stool',
      'Folding Chair',
      'Conference Chair',
      'Wobble Stool',
      'Lounge Chair',
      'Footrest',
    ],
    variants: ['Mesh', 'Wool'],
    materials: ['recycled mesh', 'felted wool', 'moulded beech', 'cast aluminium'],
    features: [
      'Height, depth and resistance are set without getting up.',
      'Castors for hard floors; soft ones are in the box.',
      'Every part can be ordered and replaced on its own.',
    ],
    care: ['Vacuum the cover.', 'Retighten the screws after a month.'],
    tags: ['ergonomic', 'recycled', 'repairable'],
    uses: ['long days at the desk', 'the sewing table', 'video calls'],
    price: [39, 599],
    weight: [1900, 19500],
    side: [30, 110],
  },
  {
    department: 'OFFICE',
    slug: 'desk-accessories',
    name: 'Desk Accessories',
    description: 'Small things that keep a desk a desk.',
    nouns: [
      'Monitor Stand',
      'Cable Tray',
      'Pen Cup',
      'Desk Lamp Clamp',
      'Laptop Riser',
      'Letter Tray',
      'Tape Dispenser',
      'Stapler',
      'Document Holder',
      'Wrist Rest',
    ],
    variants: ['Oak', 'Steel'],
    materials: ['solid oak', 'folded steel', 'cork', 'recycled aluminium'],
    features: [
      'Heavy enough to stay where it is.',
      'A slot at the back leads cables out of sight.',
      'No screws, no glue: the parts slide together.',
    ],
    care: ['Wipe with a damp cloth.', 'Wax the wood once a year.'],
    tags: ['plastic-free', 'repairable', 'gift'],
    uses: ['two screens', 'a very small desk', 'the shared office'],
    price: [6, 129],
    weight: [120, 4300],
    side: [4, 60],
  },
];

interface BrandWords {
  readonly id: string;
  readonly name: string;
  readonly country: Country;
  readonly founded: number;
  /** Null: the brand has no service desk, so warranty claims have no contact. */
  readonly warrantyContact: string | null;
}

export const brands: readonly BrandWords[] = [
  { id: 'b1', name: 'Tinderlow', country: 'SE', founded: 1951, warrantyContact: 'care@tinderlow.example' },
  { id: 'b2', name: 'Brackwater & Daughters', country: 'GB', founded: 1908, warrantyContact: null },
  { id: 'b3', name: 'Lumenfold', country: 'NL', founded: 2012, warrantyContact: 'help@lumenfold.example' },
  {
    id: 'b4',
    name: 'Ostrawa Werke',
    country: 'PL',
    founded: 1974,
    warrantyContact: 'serwis@ostrawa.example',
  },
  {
    id: 'b5',
    name: 'Maison Belcombe',
    country: 'FR',
    founded: 1932,
    warrantyContact: 'sav@belcombe.example',
  },
  {
    id: 'b6',
    name: 'Kestrelford',
    country: 'US',
    founded: 1996,
    warrantyContact: 'support@kestrelford.example',
  },
  { id: 'b7', name: 'Grünhag', country: 'DE', founded: 1889, warrantyContact: 'service@gruenhag.example' },
  { id: 'b8', name: 'Plainsong Goods', country: 'US', founded: 2018, warrantyContact: null },
  { id: 'b9', name: 'Haverlind', country: 'DE', founded: 2003, warrantyContact: 'hallo@haverlind.example' },
  {
    id: 'b10',
    name: 'Sorrel & Slate',
    country: 'GB',
    founded: 2015,
    warrantyContact: 'hello@sorrelslate.example',
  },
];

export const warehouses = [
  { code: 'AMS', city: 'Amsterdam', country: 'NL' },
  { code: 'LEJ', city: 'Leipzig', country: 'DE' },
  { code: 'WRO', city: 'Wrocław', country: 'PL' },
  { code: 'OHI', city: 'Columbus', country: 'US' },
] as const;

export const usernameAdjectives = [
  'amber',
  'brisk',
  'cobalt',
  'dapper',
  'eager',
  'faded',
  'gentle',
  'hollow',
  'indigo',
  'jolly',
  'keen',
  'lucky',
  'mellow',
  'nimble',
  'ochre',
  'plucky',
  'quiet',
  'rusty',
  'silent',
  'tidy',
  'umber',
  'velvet',
  'windy',
  'young',
  'zesty',
] as const;

export const usernameNouns = [
  'badger',
  'curlew',
  'dormouse',
  'ermine',
  'finch',
  'gecko',
  'heron',
  'ibex',
  'jackdaw',
  'kelp',
  'lynx',
  'marten',
  'newt',
  'otter',
  'plover',
  'quail',
  'raven',
  'stoat',
  'teapot',
  'urchin',
  'vole',
  'walnut',
  'yarrow',
  'zander',
] as const;

interface RatingWords {
  readonly titles: readonly string[];
  readonly openings: readonly string[];
  readonly details: readonly string[];
  readonly endings: readonly string[];
}

/** Sentences by rating, from one star to five. `{noun}` is the product, `{use}` one of its category's uses. */
export const ratingWords: readonly RatingWords[] = [
  {
    titles: ['Sent it back', 'Not for me', 'Broke within a week'],
    openings: ['I wanted to like this {noun}.', 'The {noun} arrived with a dent, and it went on like that.'],
    details: [
      'After two weeks of {use} it came apart at the seam.',
      'Nothing about it fits what the description promises.',
      'For {use} it is simply the wrong thing.',
    ],
    endings: ['The refund was quick, at least.', 'I went back to my old one.', 'One star for the box.'],
  },
  {
    titles: ['Expected more', 'Looks better than it works', 'Two stars, reluctantly'],
    openings: ['The {noun} looks lovely on the shelf.', 'On paper this {noun} does everything.'],
    details: [
      'In daily use, mostly {use}, the finish wears off faster than it should.',
      'It is smaller than the pictures suggest.',
      'I tried it for {use} and kept reaching for something else.',
    ],
    endings: ['Fine as a spare.', 'Half the price would be about right.', 'Customer service was friendly.'],
  },
  {
    titles: ['Does the job', 'Fine, no more', 'Middle of the road'],
    openings: ['A decent {noun} with a few rough edges.', 'It is a {noun}, and it does what one does.'],
    details: [
      'For {use} it is good enough.',
      'The size is right, the instructions are a riddle.',
      'Half of our household uses it for {use}, the other half ignores it.',
    ],
    endings: ['I would wait for a discount.', 'No regrets, no enthusiasm.', 'It will do for some years.'],
  },
  {
    titles: ['Very good', 'Nearly perfect', 'Happy with it'],
    openings: ['Solid {noun}, well made and well packed.', 'We have had this {noun} for three months now.'],
    details: [
      'It has seen plenty of {use} and still looks new.',
      'It is heavier than I thought, which turned out to be a good thing.',
      'For {use} there is hardly anything better at the price.',
    ],
    endings: ['One star off for the smell of the packaging.', 'I would buy it again.', 'Recommended.'],
  },
  {
    titles: ['Love it', 'The last one I will buy', 'Better than expected', 'Worth every cent'],
    openings: ['I did not know that a {noun} could make me this happy.', 'This {noun} is the real thing.'],
    details: [
      'I bought it for {use}; now it is used for everything.',
      'Every detail has been thought about, down to the label.',
      'Months of {use}, and not a scratch.',
    ],
    endings: ['I have ordered a second one as a gift.', 'Ten out of ten.', 'Do not hesitate.', 'Thank you!'],
  },
];

export const questionTexts = [
  {
    question: 'Does it ship with everything shown in the pictures?',
    answers: ['Yes, all of it was in my parcel.'],
  },
  {
    question: 'How does it hold up after a year?',
    answers: ['Ours is fourteen months old and fine.', 'A few scratches, nothing that matters.'],
  },
  { question: 'Is there a way to get spare parts?', answers: [] },
  {
    question: 'Is the colour closer to the first or the second picture?',
    answers: ['The second, in daylight.'],
  },
] as const;
