// What the user of each JavaScript client sees of a refusal: the words, whatever the
// client makes of an error, and soon.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [base, tools] = process.argv.slice(2)
const load = (name) => import(pathToFileURL(createRequire(tools + '/').resolve(name)))
const { generateText, streamText, embed } = await load('ai')
const { createOpenAI } = await load('@ai-sdk/openai')
const { ChatOpenAI } = await load('@langchain/openai')
const { default: OpenAI } = await load('openai')

const made = await fetch(base + '/key/generate', { method: 'POST', body: '{}', headers: { authorization: 'Bearer sk-1234' } })
const { key } = await made.json()
const words = `Key=${createHash('sha256').update(key).digest('hex')} over available TPM=0. Model TPM=0, Active keys=1`
const baseURL = base + '/v1'
const messages = [{ role: 'user', content: 'hi' }]
const model = 'my-fake-model'
const openai = new OpenAI({ apiKey: key, baseURL })
const vercel = createOpenAI({ apiKey: key, baseURL })
const langchain = new ChatOpenAI({ model, apiKey: key, configuration: { baseURL } })

const first = await openai.chat.completions.create({ model, messages })
if (first.usage.total_tokens !== 30) throw new Error('the first was not served')

async function shown(name, call) {
  const began = Date.now()
  try {
    await call()
  } catch (e) {
    const took = (Date.now() - began) / 1000
    console.log(`${name}: ${e.name}: ${e.message} (${took} s)`)
    if (!e.message.includes(words)) throw new Error(`${name} does not show the words`)
    if (took > 2) throw new Error(`${name} waited`) // Retry-After is 55 seconds here
    return
  }
  throw new Error(name + ' was served')
}

await shown('openai', () => openai.chat.completions.create({ model, messages }))
await shown('openai, stream', () => openai.chat.completions.create({ model, messages, stream: true }))
await shown('ai', () => generateText({ model: vercel.chat(model), prompt: 'hi' }))
await shown('ai, stream', async () => {
  let failed
  const answer = streamText({ model: vercel.chat(model), prompt: 'hi', onError: ({ error }) => { failed = error } })
  for await (const _ of answer.textStream);
  if (failed) throw failed
})
await shown('ai, vectors', () => embed({ model: vercel.embedding(model), value: 'hi' }))
await shown('langchain', () => langchain.invoke('hi'))
await shown('langchain, stream', async () => { for await (const _ of await langchain.stream('hi')); })
