/**
 * Makes an element's children what `fresh` says, and keeps every node that stays what it was: so focus, a selection of text and
 * the place of scrolling survive a snapshot a second, and what is read aloud is what changed. For parts of the page without
 * handlers; elements with another `data-id` are others.
 */
import { type Child, nodesOf } from './elements.ts'

export function morph(target: Element, ...fresh: readonly Child[]): void {
  const next = nodesOf(fresh).map(node => (typeof node === 'string' ? document.createTextNode(node) : node))
  const old = [...target.childNodes]
  next.forEach((node, i) => {
    const have = old[i]
    if (have === undefined) target.append(node)
    else if (!isAlike(have, node)) have.replaceWith(node)
    else if (have instanceof Element) become(have, node as Element)
    else if (have.nodeValue !== node.nodeValue) have.nodeValue = node.nodeValue
  })
  for (const left of old.slice(next.length)) left.remove()
}

function isAlike(have: Node, node: Node): boolean {
  if (have === node || have.nodeName !== node.nodeName) return false
  return !(have instanceof Element) || have.getAttribute('data-id') === (node as Element).getAttribute('data-id')
}

function become(have: Element, node: Element): void {
  for (const { name, value } of node.attributes) if (have.getAttribute(name) !== value) have.setAttribute(name, value)
  for (const { name } of [...have.attributes]) if (!node.hasAttribute(name)) have.removeAttribute(name)
  morph(have, ...node.childNodes)
}
