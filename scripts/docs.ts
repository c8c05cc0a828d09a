/** `npm run docs`: writes the pages that are made from the code; a test fails when they are not as this would write them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedPages } from './docs-pages.ts'

const root = join(import.meta.dirname, '..')
for (const [file, content] of generatedPages()) {
  writeFileSync(join(root, file), content)
  console.log(file)
}
