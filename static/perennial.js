// Perennial's only script. Every page works without it; it adds copying, live fragments and native dialogs.
// It contains no HTML sink at all, so the policy "trusted-types 'none'" holds: XMLHttpRequest parses the page
// that it fetches into a document of its own, where no script runs.

const say = (text) => { const line = document.getElementById('announce'); if (line) line.textContent = text }

// On small screens the navigation is one row that scrolls: begin at the page we are on.
const here = document.querySelector('.side [aria-current]')
if (here) here.closest('.side').scrollLeft = here.offsetLeft - 16

// Copying: the value of data-copy is the selector of the element whose text is copied.
async function copy(button) {
  const text = document.querySelector(button.dataset.copy)?.textContent.trim() ?? ''
  const label = button.querySelector('span')
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const range = document.createRange() // no clipboard here: select it, so that one key press is enough
    range.selectNodeContents(document.querySelector(button.dataset.copy))
    getSelection().removeAllRanges()
    getSelection().addRange(range)
    return say('Selected. Press Control and C to copy.')
  }
  button.dataset.label ??= label.textContent
  label.textContent = 'Copied'
  say('Copied')
  setTimeout(() => { label.textContent = button.dataset.label }, 2000)
}

// Dialogs: a link with data-dialog leads to a confirmation page; here it opens the same form as a dialog.
function open(link, event) {
  const dialog = document.getElementById(link.dataset.dialog)
  if (!dialog || event.metaKey || event.ctrlKey || event.shiftKey) return
  event.preventDefault()
  dialog.returnTo = link.id // the link itself may be replaced by a live update meanwhile
  dialog.showModal()
}

addEventListener('close', (event) => { document.getElementById(event.target.returnTo)?.focus() }, true)

addEventListener('click', (event) => {
  const target = event.target.closest?.('[data-copy],[data-dialog],[data-close]')
  if (target?.dataset.copy) copy(target)
  else if (target?.dataset.dialog) open(target, event)
  else if (target?.closest('dialog')) { event.preventDefault(); target.closest('dialog').close() }
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (!menu.contains(event.target)) menu.open = false
  }
})

addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    menu.open = false
    menu.querySelector('summary').focus()
  }
})

// A download leaves the page where it is, so its dialog closes by itself.
addEventListener('submit', (event) => {
  if ('download' in event.target.dataset) setTimeout(() => event.target.closest('dialog')?.close())
})

// Live fragments: the stream only says that something changed; then the page is read again and merged.
const live = () => document.querySelector('[data-live]')?.dataset.live
let stream, streaming, wait = 1000, busy = false, again = false

function connect() {
  const url = document.hidden ? undefined : live()
  if (streaming === url && stream?.readyState !== EventSource.CLOSED) return
  stream?.close()
  stream = undefined
  streaming = url
  if (!url) return
  stream = new EventSource(url)
  stream.onopen = () => { wait = 1000 }
  stream.onmessage = refresh
  stream.onerror = () => {
    if (stream?.readyState !== EventSource.CLOSED) return
    setTimeout(() => { connect(); refresh() }, wait)
    wait = Math.min(wait * 2, 60000)
  }
}

function refresh() {
  if (busy) { again = true; return }
  busy = true
  const request = new XMLHttpRequest()
  request.open('GET', location.href)
  request.responseType = 'document'
  request.onloadend = () => {
    busy = false
    if (request.response && request.status === 200) take(request.response)
    if (again) { again = false; refresh() }
  }
  request.send()
}

// take merges the fragments of a page read again. A page without them is another page: signed out, or moved.
function take(page) {
  const focused = document.activeElement?.id
  const unfolded = [...document.querySelectorAll('[data-fragment] details[open][id]')].map((details) => details.id)
  for (const old of document.querySelectorAll('[data-fragment]')) {
    const fresh = page.getElementById(old.id)
    if (!fresh) { location.reload(); return }
    const before = old.dataset.say
    merge(old, document.importNode(fresh, true))
    if (old.dataset.say && old.dataset.say !== before) say(old.dataset.say)
  }
  document.title = page.title
  for (const id of unfolded) document.getElementById(id)?.setAttribute('open', '')
  const same = document.getElementById(focused)
  if (same && same !== document.activeElement) same.focus({ preventScroll: true })
  connect()
}

// merge changes only what differs, so that selection, scroll positions and running animations stay.
function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id || old.nodeType !== 1) { old.replaceWith(fresh); return }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name)
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== 'value') old.setAttribute(name, value)
  }
  const olds = [...old.childNodes], news = [...fresh.childNodes]
  news.forEach((node, i) => { if (olds[i]) merge(olds[i], node); else old.append(node) })
  olds.slice(news.length).forEach((node) => node.remove())
}

// Seconds that run while we wait: data-elapsed holds how many had passed when the page was made.
setInterval(() => {
  for (const element of document.querySelectorAll('[data-elapsed]')) {
    element.since ??= [element.dataset.elapsed, performance.now()]
    if (element.since[0] !== element.dataset.elapsed) element.since = [element.dataset.elapsed, performance.now()]
    const s = Math.floor(Number(element.since[0]) + (performance.now() - element.since[1]) / 1000)
    element.textContent = s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`
  }
}, 1000)

addEventListener('visibilitychange', () => { if (!document.hidden && live()) refresh(); connect() })
addEventListener('pagehide', () => { stream?.close(); stream = undefined; streaming = undefined })
addEventListener('pageshow', (event) => { if (event.persisted && live()) refresh(); connect() })
document.querySelector('[data-focus]')?.focus()
connect()
