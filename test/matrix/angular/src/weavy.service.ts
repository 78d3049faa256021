import { Injectable, type OnDestroy, signal } from '@angular/core'
import { Weavy } from '@weavy/uikit-web'
import { connectWeavy, createTokenSource, type TokenState } from 'weavy-token'

@Injectable()
export class WeavyService implements OnDestroy {
  readonly state = signal<TokenState>({ status: 'empty' })
  private end = () => {}

  open(weavyUrl: string, user: string) {
    this.end()
    const source = createTokenSource({ tokenUrl: '/api/token', user })
    source.subscribe((state) => this.state.set(state))
    const weavy = new Weavy({ url: weavyUrl })
    connectWeavy(source, weavy)
    this.end = () => {
      weavy.destroy()
      source.close()
    }
  }

  ngOnDestroy() {
    this.end()
  }
}
