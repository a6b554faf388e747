"""Sentences on which an exported text encoder is compared with its original.

Written to differ in length, tone, language, subject and spelling: quantisation errs most where
activations are unusual.
"""

from __future__ import annotations

SENTENCES = (
    "find recent work on graph neural networks",
    "what is conformal prediction",
    "Summarise this paper in two lines, please.",
    "12 percent of 3400",
    "the cat sat on the mat",
    "Which optimiser did the authors use in section 4?",
    "download 1706.03762",
    "hello",
    "ok",
    "?",
    "Monte Carlo tree search balances exploration and exploitation.",
    "is there a way out of this labyrinth",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "compare the two methods by accuracy and by cost",
    "my parcel never came and nobody answers the phone",
    "A short text, then a longer one: the encoder must place both near their kind, whatever "
    "their length, or a router that compares distances would learn length instead of meaning.",
    "¿dónde está la biblioteca?",
    "Wo finde ich einen Zug nach Leipzig, der vor acht Uhr ankommt?",
    "je voudrais annuler ma réservation",
    "今天天气怎么样",
    "x^2 + y^2 = r^2",
    "SELECT name FROM users WHERE age > 30;",
    "def area(radius): return 3.14159 * radius ** 2",
    "4 7 8 8 make 24",
    "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    "drop a piece in the middle column",
    "I lost my card, block it right now!!!",
    "how much money is left in my savings account",
    "transfer fifty euros to Anna",
    "what's the exchange rate between yen and pounds",
    "play something calm for the evening",
    "turn the lamp in the hallway down to a third",
    "wake me up at half past six tomorrow",
    "remind me to water the plants on Sunday",
    "do I need an umbrella this afternoon",
    "how do you say thank you in Icelandic",
    "tell me a joke about penguins",
    "who are you, and who made you",
    "thnks alot, thats exactly waht i needed",
    "PLEASE STOP SENDING ME THESE MESSAGES",
    "no",
    "recipe for a lentil soup without onions",
    "The mitochondrion is where a cell makes most of its chemical energy.",
    "The court found that the contract had been void from the beginning.",
    "Interest rates were left unchanged for the third quarter in a row.",
    "A bridge of stone crosses the river below the old mill, where the road turns north.",
    "She opened the letter, read it twice, and laid it back on the table without a word.",
    "Quicksort is fast on average but takes quadratic time when every pivot is the worst.",
    "Attention weighs every position of a sequence against every other position.",
    "We prove a lower bound for sparse recovery under adversarial noise.",
    "Our ablation shows that the second loss term matters little once dropout is used.",
    "The reviewers asked for a larger sample, for error bars, and for the code; the authors "
    "supplied the first two and promised the third within a year.",
    "papers that cite the one on low-rank adaptation",
    "which of these articles was published first",
    "explain backpropagation as if I were ten",
    "where does the 0.87 in table 2 come from",
    "list three weaknesses of the study",
    "gradient descent",
    "the the the the the the the the",
    "https://example.org/a/very/long/path?with=a&query=string#fragment",
    "2026-03-14T15:09:26+01:00",
    "🙂🙃",
    "A patient of 54 years presented with fever, a dry cough and pain in the left side; two "
    "courses of antibiotics had brought no relief, and the radiograph showed a shadow at the "
    "base of the lung that had not been there in the spring.",
    "Between the first and the last day of the journey lay eleven weeks, four borders, two "
    "broken axles, and one quarrel about a map which, as it turned out, both of them had been "
    "holding upside down since the ferry.",
)
